// Finds the upload URL as delivery pipelines do: in the text of the printed map.
import groovy.json.JsonSlurper

def answer = new JsonSlurper().parse(System.in)
def text = String.valueOf(answer.response.binaryStreamObjects.data)
def url = text.split('uploadURL=')[1].split(',')[0]
print url.endsWith('}}]') ? url[0..-4] : url
